package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

var plain = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}

// ask asks the credential endpoint as an SDK does.
func ask(ctx context.Context, token string) error {
	uri := os.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if uri == "" {
		return errors.New("AWS_CONTAINER_CREDENTIALS_FULL_URI is not set")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", token)
	body, err := send(plain, req)
	if err != nil {
		return err
	}
	var granted struct{ AccessKeyId, SecretAccessKey, Token string } //nolint:revive,staticcheck // the endpoint's spelling
	if err := json.Unmarshal(body, &granted); err != nil {
		return err
	}
	if granted.AccessKeyId == "" || granted.SecretAccessKey == "" || granted.Token == "" {
		return errors.New("the answer holds no credentials")
	}
	return nil
}

// send sends a request and reads the answer; all but a plain yes is an error.
func send(h aws.HTTPClient, req *http.Request) ([]byte, error) {
	resp, err := h.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", resp.StatusCode, strings.TrimSpace(string(body)))
	}
	return body, err
}

func ownToken() (string, error) {
	token, err := os.ReadFile(os.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
	return string(token), err
}

// forged is the pod's own token, but for the key that signed it.
func forged() (string, error) {
	token, err := ownToken()
	if err != nil {
		return "", err
	}
	signed := token[:strings.LastIndexByte(token, '.')]
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), err
}
