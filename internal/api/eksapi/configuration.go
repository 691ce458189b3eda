package eksapi

import (
	"bytes"
	_ "embed" // configurationSchema
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// configurationSchema says what the add-on's configurationValues may hold: the values of the chart that are the add-on's to choose. A
// test holds it against the chart's own schema.
//
//go:embed configuration.schema.json
var configurationSchema string

var compiledSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(configurationSchema))
	if err != nil {
		return nil, err
	}
	const url = "podid:configuration" // the schema refers to nothing, and nothing is loaded
	c := jsonschema.NewCompiler()
	if err := c.AddResource(url, document); err != nil {
		return nil, err
	}
	return c.Compile(url)
})

// textSchema is AWS's sentence.
const textSchema = "Json schema validation failed with error"

var errNoObject = errors.New("it is neither JSON nor YAML of an object")

// checkConfiguration holds that a text is an object, in JSON or YAML, that the schema knows. The empty text is the default.
func checkConfiguration(text string) error {
	if text == "" {
		return nil
	}
	if len(text) > maxConfiguration {
		return fmt.Errorf("it has more than %d bytes", maxConfiguration)
	}
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var document, more yaml.Node
	if err := decoder.Decode(&document); err != nil || len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return errNoObject
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return errors.New("it is more than one document")
	}
	if refers(&document) { // a few bytes could stand for gigabytes
		return errors.New("it has aliases, which are not supported")
	}
	var values map[string]any
	if err := document.Decode(&values); err != nil {
		return errNoObject
	}
	plain, err := json.Marshal(values)
	if err != nil { // a key that is no text
		return errNoObject
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
	if err != nil {
		return errNoObject
	}
	schema, err := compiledSchema()
	if err != nil {
		return err
	}
	return schemaError(schema.Validate(instance))
}

func refers(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || slices.ContainsFunc(n.Content, refers)
}

// schemaError keeps what is wrong of the validator's text, whose first line names the schema.
func schemaError(err error) error {
	if err == nil {
		return nil
	}
	const longest = 500
	_, detail, _ := strings.Cut(err.Error(), "\n")
	detail = strings.ReplaceAll(detail, "\n", "; ")
	if len(detail) > longest {
		detail = strings.ToValidUTF8(detail[:longest], "") + "..."
	}
	return fmt.Errorf("%s: [%s]", textSchema, detail)
}
