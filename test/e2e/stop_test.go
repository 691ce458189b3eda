package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A request that is under way when podid is asked to end is answered, and what it did lasts.
func TestStop_answersWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	u := beginUpload(t, p)
	p.signal(syscall.SIGTERM)
	p.closed(u.ctx)
	if err := u.finish(); err != nil {
		t.Errorf("the upload was cut: %v", err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("got %v, want exit status 0\n%s", err, p.log)
	}
	p.start(p.address())
	o, err := s3.NewFromConfig(p.administrator()).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("drop"), Key: aws.String("slow")})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Body.Close()
	if b, err := io.ReadAll(o.Body); err != nil || string(b) != slowBody {
		t.Errorf("got %q, %v, want %q", b, err, slowBody)
	}
}

// Whoever asks twice does not want to wait.
func TestStop_atOnceWhenAskedTwice(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	u := beginUpload(t, p)
	p.signal(syscall.SIGINT)
	p.closed(u.ctx)
	p.signal(syscall.SIGINT)
	err := p.cmd.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("got %v, want an end by the second interrupt", err)
	}
	if err := u.finish(); err == nil {
		t.Error("the upload ended well although nobody was there to take it")
	}
}

const slowBody = "first half, second half"

// upload is a PutObject of which half the body is sent.
type upload struct {
	ctx    context.Context
	body   *io.PipeWriter
	answer chan error
}

// beginUpload makes a bucket and sends the first half of an object; the server has begun to read it.
func beginUpload(t *testing.T, p *plane) *upload {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	c := s3.NewFromConfig(p.administrator())
	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("drop")}); err != nil {
		t.Fatal(err)
	}
	url, err := s3.NewPresignClient(c).PresignPutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("drop"), Key: aws.String("slow")})
	if err != nil {
		t.Fatal(err)
	}
	r, w := io.Pipe()
	u := &upload{ctx: ctx, body: w, answer: make(chan error, 1)}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url.URL, r)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(slowBody))
	// The body is sent when the server has said that it wants it: then the request is under way.
	req.Header.Set("Expect", "100-continue")
	go func() {
		resp, err := (&http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}).Do(req)
		if err == nil {
			text, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status + " " + string(text))
			}
		}
		r.CloseWithError(errors.New("the request has ended"))
		u.answer <- err
	}()
	if _, err := io.Copy(w, strings.NewReader(slowBody[:len(slowBody)/2])); err != nil {
		t.Fatalf("%v: %v", err, <-u.answer)
	}
	return u
}

// finish sends the second half and returns what the server said.
func (u *upload) finish() error {
	_, err := io.Copy(u.body, strings.NewReader(slowBody[len(slowBody)/2:]))
	return errors.Join(err, u.body.Close(), <-u.answer)
}
