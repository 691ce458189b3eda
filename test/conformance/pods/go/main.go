// Command go is a pod's program: it says who it is and puts an object where told, with the default credential chain and nothing else.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	me, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Printf("{\"arn\": %q}\n", aws.ToString(me.Arn))
	if len(args) != 2 {
		return nil
	}
	_, err = s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true }).PutObject(ctx, &s3.PutObjectInput{
		Bucket: &args[0], Key: &args[1], Body: strings.NewReader("go"),
	})
	return err
}
