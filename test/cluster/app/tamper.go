package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/config"
)

// tampered sends a PutObject that was changed after it was signed.
func tampered(ctx context.Context, verb, bucket, key string) error {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	who, err := c.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	const signed, other = "order 1", "order 9"
	body := signed
	if verb == "changed-body" {
		body = other
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, os.Getenv("AWS_ENDPOINT_URL")+"/"+bucket+"/"+key, strings.NewReader(body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(signed))
	hash := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(ctx, who, req, hash, "s3", c.Region, time.Now()); err != nil {
		return err
	}
	if verb == "changed-signature" {
		a := req.Header.Get("Authorization")
		last := byte('0')
		if a[len(a)-1] == last {
			last = '1'
		}
		req.Header.Set("Authorization", a[:len(a)-1]+string(last))
	}
	if _, err := send(c.HTTPClient, req); err != nil {
		return err
	}
	fmt.Println("the changed request was taken")
	return nil
}
