package conformance

import (
	"os/exec"
	"testing"
)

// TestModel runs the tests of the check against botocore's models: what it must find, and what it must let pass.
func TestModel(t *testing.T) {
	t.Parallel()
	python, err := pythonClients()
	if err != nil {
		t.Skip(err)
	}
	if out, err := exec.CommandContext(t.Context(), python, "-B", "drivers/model_test.py").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
