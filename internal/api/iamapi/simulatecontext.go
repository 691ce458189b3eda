package iamapi

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/policy"
)

// contextType is how the values of a context entry are read.
type contextType struct {
	value policy.ValueType
	list  bool
}

var contextTypes = map[types.ContextKeyTypeEnum]contextType{
	types.ContextKeyTypeEnumString:      {policy.StringValue, false},
	types.ContextKeyTypeEnumStringList:  {policy.StringValue, true},
	types.ContextKeyTypeEnumNumeric:     {policy.NumericValue, false},
	types.ContextKeyTypeEnumNumericList: {policy.NumericValue, true},
	types.ContextKeyTypeEnumBoolean:     {policy.BooleanValue, false},
	types.ContextKeyTypeEnumBooleanList: {policy.BooleanValue, true},
	types.ContextKeyTypeEnumIp:          {policy.IPValue, false},
	types.ContextKeyTypeEnumIpList:      {policy.IPValue, true},
	types.ContextKeyTypeEnumBinary:      {policy.BinaryValue, false},
	types.ContextKeyTypeEnumBinaryList:  {policy.BinaryValue, true},
	types.ContextKeyTypeEnumDate:        {policy.DateValue, false},
	types.ContextKeyTypeEnumDateList:    {policy.DateValue, true},
}

// Lengths of the name of a context key, in characters.
const (
	minContextKey = 5
	maxContextKey = 256
)

// contextKey is a condition key of a simulated request.
type contextKey struct {
	name   string
	values []string
}

// contextKeys reads the context entries of a simulation. What cannot be a value of its type is refused: to pass it over would
// simulate another request. A type that holds one value holds exactly one.
func contextKeys(entries []types.ContextEntry) ([]contextKey, error) {
	keys := make([]contextKey, 0, len(entries))
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		k := contextKey{name: aws.ToString(e.ContextKeyName)}
		if len(k.name) < minContextKey || len(k.name) > maxContextKey || !strings.Contains(k.name, ":") {
			return nil, invalidInput("Invalid context key name: %s", bounded(k.name))
		}
		folded := strings.ToLower(k.name)
		if seen[folded] {
			return nil, invalidInput("Duplicate context key name: %s", bounded(k.name))
		}
		seen[folded] = true
		as, ok := contextTypes[e.ContextKeyType]
		switch {
		case !ok:
			return nil, invalidInput("Invalid context key type for %s: %s", k.name, bounded(string(e.ContextKeyType)))
		case !as.list && len(e.ContextKeyValues) != 1:
			return nil, invalidInput("The context key %s of type %s must have exactly one value", k.name, e.ContextKeyType)
		}
		for _, text := range e.ContextKeyValues {
			value, ok := as.value.Value(text)
			if !ok {
				return nil, invalidInput("Invalid value for the context key %s of type %s: %s", k.name, e.ContextKeyType, bounded(text))
			}
			k.values = append(k.values, value)
		}
		keys = append(keys, k)
	}
	return keys, nil
}
