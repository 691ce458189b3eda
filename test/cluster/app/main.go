// Command app is an ordinary program in a pod: it uses the AWS SDK's default credential chain and knows nothing of podid.
//
//	app put BUCKET KEY TEXT           who am I, and put one object
//	app changed-body BUCKET KEY       sign a PutObject for one body and send another
//	app changed-signature BUCKET KEY  send a PutObject whose signature was changed
//	app ask FILE                      ask the credential endpoint with the token in another file
//	app forge                         ask it with a token that says the same as the pod's own, signed by somebody else
//	app watch                         ask for credentials and make a signed call, over and over, and tell when that fails
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	verb := strings.Join(args[:min(1, len(args))], "")
	switch {
	case verb == "watch" && len(args) == 1:
		return watch(ctx)
	case verb == "put" && len(args) == 4:
	case verb == "changed-body" && len(args) == 3, verb == "changed-signature" && len(args) == 3:
	case verb == "ask" && len(args) == 2:
	case verb == "forge" && len(args) == 1:
	default:
		return errors.New("usage: see the package comment")
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	switch verb {
	case "put":
		return put(ctx, args[1], args[2], args[3])
	case "ask":
		token, err := os.ReadFile(args[1])
		if err != nil {
			return err
		}
		return ask(ctx, string(token))
	case "forge":
		token, err := forged()
		if err != nil {
			return err
		}
		return ask(ctx, token)
	}
	return tampered(ctx, verb, args[1], args[2])
}

// put is what most programs are.
func put(ctx context.Context, bucket, key, text string) error {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	who, err := sts.NewFromConfig(c).GetCallerIdentity(ctx, nil)
	if err != nil {
		return err
	}
	_, err = s3.NewFromConfig(c).PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(text)})
	if err != nil {
		return err
	}
	fmt.Printf("%s put s3://%s/%s\n", *who.Arn, bucket, key)
	return nil
}
