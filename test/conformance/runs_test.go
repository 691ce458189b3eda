package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
)

// drivers are the clients of the management calls.
var drivers = []string{"boto3", "cli", "go"}

// A runner plays scenarios with one driver on a control plane of its own, one after the other: an account has settings of which there
// is one. What it has played is not played again, so that tests may ask in any order.
type runner struct {
	client string

	mu      sync.Mutex
	plane   *plane
	driver  driver
	failed  error              // nothing can be played
	results map[string]outcome // by the scenario's name
}

var runners = func() map[string]*runner {
	m := map[string]*runner{}
	for _, d := range drivers {
		m[d] = &runner{client: d, results: map[string]outcome{}}
	}
	return m
}()

// play returns what becomes of a scenario with this client.
func (r *runner) play(s *scenario) (outcome, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o, played := r.results[s.name]; played {
		return o, nil
	}
	if r.plane == nil && r.failed == nil {
		r.failed = r.start()
	}
	if r.failed != nil {
		return outcome{}, r.failed
	}
	variables, err := r.plane.variables(context.Background(), strings.ToLower(rand.Text()[:6]))
	if err != nil {
		return outcome{}, err
	}
	o := s.play(r.driver, variables)
	r.results[s.name] = o
	return o, nil
}

func (r *runner) start() (err error) {
	if r.client != "go" {
		if _, err := pythonClients(); err != nil {
			return err
		}
	}
	if r.plane, err = newPlane(); err != nil {
		return err
	}
	if r.client == "go" {
		r.driver = golang{r.plane}
		return nil
	}
	r.driver, err = newPython(r.plane, r.client)
	return err
}

// TestScenarios makes every management call with every client: TestScenarios/iam/roles/boto3.
func TestScenarios(t *testing.T) {
	t.Parallel()
	list, err := scenarios()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		service, file, _ := strings.Cut(s.name, "/")
		for _, d := range drivers {
			if _, unknown := s.Without[d]; unknown || *only != "" && *only != d {
				continue
			}
			t.Run(service+"/"+file+"/"+d, func(t *testing.T) {
				t.Parallel()
				o, err := runners[d].play(s)
				if errors.Is(err, errNoPython) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, w := range o.wrong {
					t.Error(w)
				}
			})
		}
	}
}
