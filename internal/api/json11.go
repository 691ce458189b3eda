package api

import (
	"cmp"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/podid/podid/internal/fault"
)

// JSON11 is the AWS JSON 1.1 protocol of Organizations and others: every operation is posted to / and named by a header, input and
// output are JSON objects whose members are spelled as in the model.
type JSON11 struct {
	Target  string // what the header says before the operation: AWSOrganizationsV20161128
	Message string // how the service's errors spell their text: Message; empty: message
}

var _ Protocol = JSON11{}

const json11Type = "application/x-amz-json-1.1"

// find routes by the header X-Amz-Target, which is part of what is signed.
func (p JSON11) find(r *http.Request, _ []byte, ops []AnyOperation) (*AnyOperation, url.Values, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/" {
		return nil, nil, fault.New(fault.NotFound, "operation", "Operations are called with POST /, not %s %s",
			bounded(r.Method, 20), bounded(r.URL.Path, 200))
	}
	if contentType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || contentType != json11Type {
		return nil, nil, fault.New(fault.Invalid, "body", "The content type of a request must be %s", json11Type)
	}
	targets := r.Header.Values("X-Amz-Target")
	if len(targets) != 1 { // two readers could pick different ones
		return nil, nil, fault.New(fault.NotFound, "operation", "The header X-Amz-Target must be given once")
	}
	if name, ok := strings.CutPrefix(targets[0], p.Target+"."); ok {
		for i := range ops {
			if ops[i].Name == name {
				return &ops[i], nil, nil
			}
		}
	}
	return nil, nil, fault.New(fault.NotFound, "operation", "No operation of this service answers %s", bounded(targets[0], 200))
}

// decode reads one JSON object. A request without input may have no body.
func (JSON11) decode(_ *http.Request, body []byte, _ url.Values, in any) error {
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, in); err != nil {
		return fault.New(fault.Invalid, "body", "The request body is not the JSON that this operation expects").Because(err)
	}
	return nil
}

func (JSON11) encode(w http.ResponseWriter, _ *AnyOperation, out any, _ string) error {
	answer := form{name: fieldName}.plain(reflect.ValueOf(out))
	if answer == nil {
		answer = struct{}{}
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", json11Type)
	w.WriteHeader(http.StatusOK)
	_, err = w.Write(body)
	return err
}

// fieldName is the name of a member as the model has it, which is that of the Go field.
func fieldName(f reflect.StructField) string { return f.Name }

func (p JSON11) fail(w http.ResponseWriter, s Shape, text string, members map[string]string, _ string) {
	body := make(map[string]string, len(members)+2)
	maps.Copy(body, members)
	body["__type"], body[cmp.Or(p.Message, "message")] = s.Code, text
	encoded, _ := json.Marshal(body) // a map of strings always encodes
	w.Header().Set("Content-Type", json11Type)
	w.WriteHeader(s.Status)
	_, _ = w.Write(encoded) // the caller is gone: nothing is left to tell
}

func (JSON11) front() Faults { return JSON11Front }
