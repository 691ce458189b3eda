package iamapi

import (
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/podid/podid/internal/policy"
)

// ContextKeys reads the context entries of a simulation.
func ContextKeys(entries []types.ContextEntry) (names []string, values [][]string, err error) {
	keys, err := contextKeys(entries)
	for _, k := range keys {
		names, values = append(names, k.name), append(values, k.values)
	}
	return names, values, err
}

// Services are the services that a report on policies lists.
func Services(docs []*policy.Document) []string { return services(docs) }
