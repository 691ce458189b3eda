package conformance

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/podid/podid/internal/api"
)

const tableFile = "../../docs/compat/clients.md"

// TestTable holds docs/compat/clients.md against what the clients did. What fails is told by the tests of the clients; here it is a
// table that would say so.
func TestTable(t *testing.T) {
	t.Parallel()
	if *only != "" {
		t.Skip("the table is of all clients: leave -driver out")
	}
	list, err := scenarios()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("# Clients\n\n" +
		"What unmodified clients of AWS do with podid. This page is written by `go test ./test/conformance -update` from their runs, and compared in CI.\n\n")
	if err = writePods(&b); err == nil {
		err = writeManagement(&b, list)
	}
	if _, missing := errors.AsType[notBuiltError](err); missing || errors.Is(err, errNoPython) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(tableFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(old), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("docs/compat/clients.md is not what the clients do; go test ./test/conformance -update writes it (-have +want):\n%s", diff)
	}
}

// writePods writes the first section: the programs of pods.
func writePods(b *strings.Builder) error {
	b.WriteString("## In pods\n\n" +
		"A program of each SDK with its default credential chain, and nothing but what the webhook injects. It gets credentials, says who it is\n" +
		"(`sts:GetCallerIdentity`) and puts an object (`s3:PutObject`), both signed with them. The same program as a service account that no\n" +
		"association and no trust policy knows must fail, with podid's reason.\n\n" +
		"| client | version | Pod Identity | signed calls | refusal | IRSA | signed calls | refusal |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	var notes []string
	for _, c := range podClients {
		v, err := versionOf(c.version)
		if err != nil {
			return err
		}
		fmt.Fprintf(b, "| %s | %s |", c.name, v)
		for _, cell := range podCells {
			if cell.client != c {
				continue
			}
			r := cell.play()
			if err := errors.Join(r.missing, r.broken); err != nil {
				return err
			}
			refusal := passed(r.refuse == nil)
			if cell.way == podIdentity && c.shows != "" {
				notes = append(notes, fmt.Sprintf("%d. %s keeps the agent's text to itself and says %q. The reason is in podid's records and in the agent's log.\n",
					len(notes)+1, c.name, c.shows))
				refusal += fmt.Sprintf(" (%d)", len(notes))
			}
			fmt.Fprintf(b, " %s | %s | %s |", passed(r.credentials == nil), passed(r.signed == nil), refusal)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(b, "\n%s\n", strings.Join(notes, ""))
	return nil
}

// writeManagement writes the second section: operation by client.
func writeManagement(b *strings.Builder, list []*scenario) error {
	made, failed, lacks := map[string]bool{}, map[string]map[string]bool{}, map[string]map[string]string{}
	for _, d := range drivers {
		failed[d], lacks[d] = map[string]bool{}, map[string]string{}
		for _, s := range list {
			if why, unknown := s.Without[d]; unknown {
				for _, st := range s.Steps {
					lacks[d][st.Call] = why
				}
				continue
			}
			o, err := runners[d].play(s)
			if err != nil {
				return err
			}
			maps.Copy(failed[d], o.failed)
		}
	}
	for _, s := range list {
		for _, st := range s.Steps {
			made[st.Call] = true
			for _, d := range drivers {
				if _, unknown := s.Without[d]; !unknown {
					delete(lacks[d], st.Call)
				}
			}
		}
	}
	b.WriteString("## Management calls\n\n" +
		"Each operation is called in the scenarios of `test/conformance`, by each of these clients. `pass` says that every such call ended as it\n" +
		"should. Every answer to boto3, errors included, was also held against botocore's model of the service: it has no member that the model\n" +
		"does not know, lacks none that the model requires, and is no error that the operation does not declare.\n" +
		"Where a version of a client does not know an operation, its cell says so.\n")
	tables := services()
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		fmt.Fprintf(b, "\n### %s\n\n| operation | boto3 | AWS CLI | AWS SDK for Go v2 | note |\n| --- | --- | --- | --- | --- |\n", name)
		ops := slices.SortedFunc(slices.Values(tables[name].Operations), func(a, b api.AnyOperation) int { return strings.Compare(a.Name, b.Name) })
		for _, op := range ops {
			call := name + ":" + op.Name
			fmt.Fprintf(b, "| %s |", op.Name)
			for _, d := range drivers {
				cell := passed(!failed[d][call])
				if why, unknown := lacks[d][call]; unknown {
					cell = why
				}
				if !made[call] {
					cell = "not called"
				}
				fmt.Fprintf(b, " %s |", cell)
			}
			if why, refused := onlyRefused[call]; refused {
				fmt.Fprintf(b, " always refused: %s |\n", why)
			} else {
				b.WriteString(" |\n")
			}
		}
	}
	return nil
}

func passed(ok bool) string {
	if ok {
		return "pass"
	}
	return "fail"
}
