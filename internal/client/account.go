package client

import (
	"context"
	"net/http"
)

// NewAccount asks for an account.
type NewAccount struct {
	AccountID string `json:"accountId"` // 12 digits
	Name      string `json:"name,omitempty"`
}

// MadeAccount is a new account with the key of its administrator, which is told this once.
type MadeAccount struct {
	AccountID       string `json:"accountId"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
}

// Account is an account as it is listed.
type Account struct {
	AccountID string `json:"accountId"`
	Name      string `json:"name"`
}

// CreateAccount makes an account with an administrator.
func (c *Client) CreateAccount(ctx context.Context, a NewAccount) (*MadeAccount, error) {
	var made MadeAccount
	if err := c.Do(ctx, http.MethodPost, "/accounts", a, &made); err != nil {
		return nil, err
	}
	return &made, nil
}

// ListAccounts lists all accounts.
func (c *Client) ListAccounts(ctx context.Context) ([]Account, error) {
	var out struct {
		Accounts []Account `json:"accounts"`
	}
	if err := c.Do(ctx, http.MethodGet, "/accounts", nil, &out); err != nil {
		return nil, err
	}
	return out.Accounts, nil
}
