package credential

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/podid/podid/internal/fault"
)

// A sealed message is text that callers carry and cannot read. It is made like a session token, and can never be taken for one nor
// the reverse: it has a version of its own, is sealed under a key of its own that is derived from that of the ring, and is bound to
// another label. In unpadded URL-safe base64:
//
//	version  1 byte    messageVersion
//	key id   8 bytes   names the key of the ring
//	nonce    24 bytes  random
//	sealed   n bytes   the deflated text, zeros, and the 16 bytes that authenticate it and what stands before
const (
	messageVersion = 0x81
	messageLabel   = "podid authorization message v1"

	// MaxMessageLength is the longest sealed message in characters.
	MaxMessageLength = 4096

	// maxMessageText bounds what is sealed, and what a message may inflate to.
	maxMessageText = 16 << 10
)

var errMessage = fault.New(fault.Invalid, "authorization message", "Message is not valid")

// SealMessage seals text. With size, the sealed text is padded to that many bytes, so that its length tells nothing; it must fit.
// It reports false for a text that does not fit, and where there is no key to seal with: messages are not worth a write.
func (r *Ring) SealMessage(text []byte, size int) (message string, ok bool) {
	key := r.newest(r.c.DB.Snapshot())
	if key == nil || len(text) > maxMessageText {
		return "", false
	}
	small, err := r.messages.deflate(text)
	if err != nil || size > 0 && len(small) > size {
		return "", false
	}
	if len(small) < size {
		small = append(small, make([]byte, size-len(small))...)
	}
	aead := key.sealer.messages
	if tokenEncoding.EncodedLen(headSize+aead.NonceSize()+len(small)+aead.Overhead()) > MaxMessageLength {
		return "", false
	}
	head := make([]byte, headSize+aead.NonceSize(), headSize+aead.NonceSize()+len(small)+aead.Overhead())
	head[0] = messageVersion
	copy(head[1:], key.sealer.id[:])
	nonce := head[headSize:]
	if _, err := io.ReadFull(r.c.Rand, nonce); err != nil {
		return "", false
	}
	return tokenEncoding.EncodeToString(aead.Seal(head, nonce, small, associated(head[:headSize], messageLabel))), true //nolint:gosec // the nonce is random
}

// OpenMessage is the inverse of SealMessage. It fails with [fault.Invalid], always in the same words, for whatever that did not make
// under a key of the ring that is still there.
func (r *Ring) OpenMessage(ctx context.Context, message string) ([]byte, error) {
	box, err := parseMessage(message)
	if err != nil {
		return nil, errMessage.Because(err)
	}
	sealer, err := r.find(ctx, [keyIDSize]byte(box[1:headSize]))
	if errors.Is(err, fault.Unauthenticated) {
		return nil, errMessage.Because(err)
	}
	if err != nil {
		return nil, err
	}
	nonce, sealed := box[headSize:][:chacha20poly1305.NonceSizeX], box[headSize+chacha20poly1305.NonceSizeX:]
	small, err := sealer.messages.Open(nil, nonce, sealed, associated(box[:headSize], messageLabel))
	if err != nil {
		return nil, errMessage.Because(errForeign)
	}
	text, err := inflateMessage(small)
	if err != nil {
		return nil, errMessage.Because(err)
	}
	return text, nil
}

// parseMessage takes the form of a message apart, of which nothing is proven.
func parseMessage(s string) ([]byte, error) {
	if len(s) > MaxMessageLength {
		return nil, errors.New("the message is too long")
	}
	box, err := tokenEncoding.DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") { // the decoder passes over line ends
		return nil, errors.New("the message is not base64")
	}
	if len(box) < headSize+chacha20poly1305.NonceSizeX+chacha20poly1305.Overhead || box[0] != messageVersion {
		return nil, errors.New("that is not a message")
	}
	return box, nil
}

// packer deflates messages, fast rather than well: whoever is refused often must not keep a core busy with it. Its zero value is ready.
type packer struct{ writers sync.Pool } // of *flate.Writer

func (p *packer) deflate(text []byte) ([]byte, error) {
	var small bytes.Buffer
	w, ok := p.writers.Get().(*flate.Writer)
	if ok {
		w.Reset(&small)
	} else {
		var err error
		if w, err = flate.NewWriter(&small, flate.BestSpeed); err != nil {
			return nil, err
		}
	}
	defer p.writers.Put(w)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return small.Bytes(), nil
}

// inflateMessage reads up to the end that deflate has written; the padding stands behind it.
func inflateMessage(small []byte) ([]byte, error) {
	r := flate.NewReader(bytes.NewReader(small))
	text, err := io.ReadAll(io.LimitReader(r, maxMessageText+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxMessageText {
		return nil, errTooLong
	}
	return text, nil
}
