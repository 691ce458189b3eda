package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A scenario is a file: calls one after the other, with what each must answer. README.md tells the format.
type scenario struct {
	name  string // iam/roles
	About string `json:"about"`
	Steps []step `json:"steps"`

	// Without names the drivers whose client does not know the calls, with what it lacks.
	Without map[string]string `json:"without"`
}

type step struct {
	Call   string            `json:"call"`
	Input  map[string]any    `json:"input"`
	As     string            `json:"as"`
	Output map[string]any    `json:"output"`
	Error  *refusal          `json:"error"`
	Keep   map[string]string `json:"keep"`

	// Wait says that the answer becomes the wanted one by and by: the call is made again until then.
	Wait bool `json:"wait"`
}

// refusal is an error that a step expects.
type refusal struct {
	Code    string         `json:"code"`
	Text    string         `json:"text"`
	Members map[string]any `json:"members"`

	// Keep is what later steps need of the message: a name, and a regular expression with one group.
	Keep map[string]string `json:"keep"`
}

// operation splits a call.
func (s *step) operation() (client, name string) {
	client, name, _ = strings.Cut(s.Call, ":")
	return client, name
}

// scenarios reads all files, once and in the order of their names. A misspelled field is an error: what it meant would not be checked.
var scenarios = sync.OnceValues(func() ([]*scenario, error) {
	files, err := filepath.Glob("scenarios/*/*.json")
	if err != nil {
		return nil, err
	}
	var list []*scenario
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s := &scenario{name: strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "scenarios/"), ".json")}
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(s); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		list = append(list, s)
	}
	return list, nil
})

func (s *scenario) check() error {
	if s.About == "" || len(s.Steps) == 0 {
		return errors.New("a scenario has an \"about\" and steps")
	}
	for i := range s.Steps {
		st := &s.Steps[i]
		if client, name := st.operation(); client == "" || name == "" {
			return fmt.Errorf("step %d: %q is not CLIENT:OPERATION", i+1, st.Call)
		}
		if st.Error != nil && (st.Error.Code == "" || st.Output != nil || st.Keep != nil) {
			return fmt.Errorf("step %d: an error has a code, and neither output nor keep", i+1)
		}
	}
	return nil
}

// A call is what a driver makes.
type call struct {
	Client      string         `json:"client"`
	Operation   string         `json:"operation"`
	Input       map[string]any `json:"input"`
	Profile     string         `json:"profile"`
	Credentials *keys          `json:"credentials"`
}

// keys are those of a session or a user, which replace the profile's.
type keys struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken,omitempty"`
}

// An answer is what a client made of the service's: an output or an error, never both.
type answer struct {
	Output   map[string]any `json:"output"`
	Error    *clientError   `json:"error"`
	Problems []string       `json:"problems"`
}

type clientError struct {
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Members map[string]any `json:"members"` // nil where the client does not tell them
}

// A driver makes calls with one client.
type driver interface {
	make(call) (answer, error)
}

// An outcome is what became of a scenario with one client.
type outcome struct {
	wrong  []string        // a sentence each; none: all is well
	failed map[string]bool // the calls that did not end as they should, or were not reached
}

// play makes the steps of a scenario. The first step that does not end as it should is the last that is made, except that what the model
// finds wrong does not stop it.
func (s *scenario) play(d driver, variables map[string]any) outcome {
	o := outcome{failed: map[string]bool{}}
	stopped := false
	for i := range s.Steps {
		st := &s.Steps[i]
		if stopped {
			o.failed[st.Call] = true
			continue
		}
		a, wrong := st.make(d, variables)
		stopped = len(wrong) > 0
		for _, p := range a.Problems {
			wrong = append(wrong, "against the model: "+p)
		}
		for _, w := range wrong {
			o.failed[st.Call] = true
			o.wrong = append(o.wrong, fmt.Sprintf("step %d, %s: %s", i+1, st.Call, w))
		}
	}
	return o
}

// patience is how long a step waits for what it wants.
const patience = 20 * time.Second

// make makes a step: once, or until it ends as it should.
func (s *step) make(d driver, variables map[string]any) (a answer, wrong []string) {
	deadline, tick := time.NewTimer(patience), time.NewTicker(100*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for {
		a, wrong = s.once(d, variables)
		if !s.Wait || len(wrong) == 0 || len(a.Problems) > 0 {
			return a, wrong
		}
		select {
		case <-deadline.C:
			return a, append(wrong, "still, after "+patience.String())
		case <-tick.C:
		}
	}
}

func (s *step) once(d driver, variables map[string]any) (a answer, wrong []string) {
	in, err := substitute(s.Input, variables)
	if err != nil {
		return a, []string{err.Error()}
	}
	c := call{Input: map[string]any{}}
	c.Client, c.Operation = s.operation()
	if in != nil {
		c.Input = in.(map[string]any)
	}
	if c.Profile, c.Credentials, err = s.identity(variables); err != nil {
		return a, []string{err.Error()}
	}
	if a, err = d.make(c); err != nil {
		return a, []string{err.Error()}
	}
	if s.Error != nil {
		return a, s.Error.compare(a, variables)
	}
	if a.Error != nil {
		return a, []string{fmt.Sprintf("got the error %s (%s), want an answer", a.Error.Code, a.Error.Message)}
	}
	wrong = compare(a.Output, s.Output, variables)
	for name, path := range s.Keep {
		v := at(a.Output, path)
		if v == nil {
			wrong = append(wrong, fmt.Sprintf("there is no %s to keep", path))
		}
		variables[name] = v
	}
	return a, wrong
}

// identity is who makes the call.
func (s *step) identity(variables map[string]any) (profile string, k *keys, err error) {
	switch s.As {
	case "", "admin":
		return profile1, nil, nil
	case "admin2":
		return profile2, nil, nil
	}
	v, err := substitute(s.As, variables)
	if err != nil {
		return "", nil, err
	}
	kept := v
	if name, ok := v.(string); ok {
		kept = variables[name]
	}
	text := func(name string) string { t, _ := at(kept, name).(string); return t }
	k = &keys{text("AccessKeyId"), text("SecretAccessKey"), text("SessionToken")}
	if k.AccessKeyID == "" || k.SecretAccessKey == "" {
		return "", nil, fmt.Errorf("nothing was kept as %q that holds an access key", s.As)
	}
	return profile1, k, nil
}

// compare says how an error differs from the one that is wanted.
func (r *refusal) compare(a answer, variables map[string]any) []string {
	if a.Error == nil {
		return []string{"got an answer, want the error " + r.Code}
	}
	if a.Error.Code != r.Code {
		return []string{fmt.Sprintf("got the error %s (%s), want %s", a.Error.Code, a.Error.Message, r.Code)}
	}
	text, err := substitute(r.Text, variables)
	if err != nil {
		return []string{err.Error()}
	}
	if !strings.Contains(a.Error.Message, fmt.Sprint(text)) {
		return []string{fmt.Sprintf("got the text %q, want one with %q", a.Error.Message, text)}
	}
	for name, pattern := range r.Keep {
		found := regexp.MustCompile(pattern).FindStringSubmatch(a.Error.Message)
		if len(found) != 2 {
			return []string{fmt.Sprintf("got the text %q, want one that holds %s", a.Error.Message, pattern)}
		}
		variables[name] = found[1]
	}
	if a.Error.Members == nil {
		return nil
	}
	return compare(a.Error.Members, r.Members, variables)
}
