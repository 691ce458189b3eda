package objectstore

import (
	"io"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

// refuseCutBody makes versitygw 1.8.0 see that an upload broke off. The HTTP server under it reports the end of the connection as the end of
// the body, and versitygw would store what had come so far as the whole object; a body whose last chunk was refused would be stored after all.
// versitygw takes its body from a key of the request's context, where it is put here.
func refuseCutBody(ctx fiber.Ctx) error {
	length, body := ctx.Request().Header.ContentLength(), ctx.Request().BodyStream()
	if length > 0 && body != nil {
		utils.ContextKeyBodyReader.Set(ctx, &wholeReader{body, int64(length)})
	}
	return ctx.Next()
}

// wholeReader fails a body that ends early.
type wholeReader struct {
	r    io.Reader
	left int64
}

// Read reads the body. Its error is one of versitygw's own: io.ErrUnexpectedEOF would be taken for the end.
func (w *wholeReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.left -= int64(n)
	if err != nil && w.left > 0 {
		err = s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	return n, err
}
