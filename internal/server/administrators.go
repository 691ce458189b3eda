package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/podid/podid/internal/fault"
	"github.com/podid/podid/internal/iam"
	"github.com/podid/podid/internal/secretfile"
)

// administratorsFile holds the access keys that a first start made, as JSON. It is why a later start can tell them again, for
// instance with another endpoint.
func (c *Config) administratorsFile() string { return filepath.Join(c.Data, "administrators.json") }

// administrators are the keys of the accounts that the first start on this data folder made, as far as they still work. Where
// there is no account yet, this is the first start. Of several replicas that start at once, one makes each account and has
// its key. The first account is told although its key may no longer work.
func (c *Config) administrators(ctx context.Context, directory *iam.Directory) (first string, keys []iam.AccessKey, err error) {
	isFirst := true
	for range directory.AllAccounts() {
		isFirst = false
		break
	}
	if isFirst {
		keys, err = c.makeAdministrators(ctx, directory)
	} else {
		keys, err = c.knownAdministrators()
	}
	if err != nil || len(keys) == 0 {
		return "", nil, err
	}
	first = keys[0].Account // DeleteFunc moves the others to the front
	return first, slices.DeleteFunc(keys, func(k iam.AccessKey) bool {
		now, ok := directory.FindAccessKey(k.ID)
		return !ok || !now.Active
	}), nil
}

func (c *Config) makeAdministrators(ctx context.Context, directory *iam.Directory) ([]iam.AccessKey, error) {
	var made []iam.AccessKey
	for _, account := range c.Accounts {
		key, err := directory.Bootstrap(ctx, account, "account-"+account)
		switch {
		case errors.Is(err, fault.Exists):
			continue
		case err != nil:
			return nil, fmt.Errorf("make account %s: %w", account, err)
		}
		made = append(made, key)
		text, err := json.Marshal(made) //nolint:gosec // the secret is what is kept, in a private file
		if err != nil {
			return nil, fmt.Errorf("keep the administrators' keys: %w", err)
		}
		// The key is known to nobody else: it is on disk before anything else happens.
		if err := secretfile.Write(c.administratorsFile(), text); err != nil {
			return nil, fmt.Errorf("keep the administrators' keys: %w", err)
		}
	}
	return made, nil
}

func (c *Config) knownAdministrators() ([]iam.AccessKey, error) {
	text, err := os.ReadFile(c.administratorsFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the administrators' keys: %w", err)
	}
	var keys []iam.AccessKey
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("read the administrators' keys: %s: %w", c.administratorsFile(), err)
	}
	return keys, nil
}
