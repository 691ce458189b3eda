package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/podid/podid/internal/api"
	"github.com/podid/podid/internal/quota"
	"github.com/podid/podid/internal/secretfile"
	"github.com/podid/podid/internal/server"
)

// serveFlags are the flags of a control plane that serve and dev share.
type serveFlags struct {
	data       string
	listen     string
	endpoint   string
	region     string
	accounts   []string
	awsConfig  string
	records    string
	verbose    bool
	tls        server.TLS
	etcd       []string
	etcdPrefix string
	etcdCA     string
	etcdCert   string
	etcdKey    string
	s3Endpoint string
	s3Region   string
	s3KeyFile  string
	quotas     []string
	issuers    issuerFlags
}

func (f *serveFlags) common(c *cobra.Command, p *Process) {
	c.Flags().StringVar(&f.data, "data", p.dataDir(), "folder for everything that is kept on disk (PODID_DATA)")
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8474", "address and port; plain HTTP is for loopback addresses only")
	c.Flags().StringVar(&f.region, "region", "us-east-1", "the region that this control plane serves")
	c.Flags().StringVar(&f.awsConfig, "aws-config", p.awsConfig(), "AWS shared config file that gets the profiles (AWS_CONFIG_FILE)")
	c.Flags().StringVar(&f.records, "records", "", "file for the request records, one JSON line each; - for standard output (default DATA/records.jsonl, and up to half a gigabyte of older ones beside it)")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "log more")
	c.Flags().StringArrayVar(&f.quotas, "quota", nil, "NAME=NUMBER: another limit than AWS's default, for example associations-per-cluster=20000; repeat for more")
	f.issuers.add(c)
	c.Flags().BoolVar(&f.tls.SelfSigned, "tls-self-signed", false, "serve HTTPS with a certificate of an own authority, kept in DATA/tls")
}

func serveCommand(p *Process) *cobra.Command {
	f := &serveFlags{}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the control plane",
		Long: "Run the control plane: every AWS-shaped API on one address, with its state in etcd.\n\n" +
			"The first start makes the first account with an administrator, and writes an AWS profile named podid\n" +
			"(mode 0600) with the endpoint and the administrator's key, so that AWS clients work at once.",
		Example: "  podid serve --data /var/lib/podid\n" +
			"  podid serve --data /var/lib/podid --listen 0.0.0.0:8474 --tls-cert tls.crt --tls-key tls.key\n" +
			"  podid serve --data /var/lib/podid --etcd-endpoints https://10.0.0.1:2379 --etcd-ca ca.pem\n" +
			"  podid serve --data /var/lib/podid --quota associations-per-cluster=20000 --issuer-allow 10.20.0.0/16 --issuer-ca ca.pem\n" +
			"  AWS_PROFILE=podid aws eks list-clusters",
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return f.serve(c.Context(), p) },
	}
	f.common(c, p)
	c.Flags().StringSliceVar(&f.accounts, "account", []string{"111122223333"}, "account to make at the first start: 12 digits")
	c.Flags().StringVar(&f.endpoint, "endpoint", "", "URL that clients are given, where it is not that of --listen (https://podid.example.com)")
	c.Flags().StringVar(&f.tls.CertFile, "tls-cert", "", "certificate file, PEM")
	c.Flags().StringVar(&f.tls.KeyFile, "tls-key", "", "key file, PEM")
	c.Flags().StringSliceVar(&f.tls.Hosts, "tls-host", nil, "further names and addresses for the self-signed certificate")
	c.Flags().StringSliceVar(&f.etcd, "etcd-endpoints", nil, "an existing etcd, instead of one member in this process")
	c.Flags().StringVar(&f.etcdPrefix, "etcd-prefix", "podid", "where in that etcd the state is; replicas have the same")
	c.Flags().StringVar(&f.etcdCA, "etcd-ca", "", "certificate authority of that etcd, PEM")
	c.Flags().StringVar(&f.etcdCert, "etcd-cert", "", "client certificate for that etcd, PEM")
	c.Flags().StringVar(&f.etcdKey, "etcd-key", "", "client key for that etcd, PEM")
	c.Flags().StringVar(&f.s3Endpoint, "s3-endpoint", "", "an existing S3 store for the objects, instead of one in this process")
	c.Flags().StringVar(&f.s3Region, "s3-region", "us-east-1", "region of that S3 store")
	c.Flags().StringVar(&f.s3KeyFile, "s3-key-file", "", "file with ACCESS_KEY_ID:SECRET_ACCESS_KEY for that S3 store")
	return c
}

func (f *serveFlags) serve(ctx context.Context, p *Process) error {
	config, done, err := f.config(p)
	if err != nil {
		return err
	}
	defer done()
	config.Ready = func(s server.Started) {
		f.announceProfiles(p, s)
		fmt.Fprintf(f.out(p), "podid serves %s (region %s)\n", s.Endpoint, f.region)
	}
	return server.Run(ctx, config)
}

// config turns the flags into a server's configuration. Done closes the record file.
func (f *serveFlags) config(p *Process) (config server.Config, done func(), err error) {
	if f.data, err = absolute(f.data); err != nil {
		return config, nil, err
	}
	if f.awsConfig, err = absolute(f.awsConfig); err != nil {
		return config, nil, err
	}
	for _, file := range []*string{&f.tls.CertFile, &f.tls.KeyFile} {
		if *file != "" {
			if *file, err = absolute(*file); err != nil {
				return config, nil, err
			}
		}
	}
	quotas, err := quota.Parse(f.quotas)
	if err != nil {
		return config, nil, fmt.Errorf("--quota: %w", err)
	}
	issuers, err := f.issuers.config()
	if err != nil {
		return config, nil, err
	}
	log := p.logger(f.verbose)
	emit, done, err := f.recorder(p)
	if err != nil {
		return config, nil, err
	}
	config = server.Config{
		Data: f.data, Listen: f.listen, Endpoint: strings.TrimSuffix(f.endpoint, "/"), Region: f.region, TLS: f.tls, Accounts: f.accounts,
		Emit: emit, Logger: log, Now: time.Now,
		Etcd: server.Etcd{Endpoints: f.etcd, Prefix: f.etcdPrefix}, Quotas: quotas, Issuers: issuers,
	}
	if config.Etcd.TLS, err = f.etcdTLS(); err != nil {
		done()
		return config, nil, err
	}
	if config.ObjectStore, err = f.objectStore(); err != nil {
		done()
		return config, nil, err
	}
	return config, done, nil
}

// recorder opens the record file.
func (f *serveFlags) recorder(p *Process) (emit func(*api.Record), done func(), err error) {
	failed := func(err error) { fmt.Fprintf(p.Stderr, "podid: a request record was lost: %v\n", err) }
	if f.records == "-" {
		return api.NewRecords(p.Stdout, failed).Emit, func() {}, nil
	}
	bounded := f.records == ""
	if bounded {
		f.records = recordFile(f.data)
	}
	if f.records, err = absolute(f.records); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(filepath.Dir(f.records), 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the folder of the request records: %w", err)
	}
	file, err := privateFile(f.records)
	if err != nil {
		return nil, nil, fmt.Errorf("open the file of the request records: %w; choose another one with --records", err)
	}
	var out io.WriteCloser = file
	if bounded {
		// A file of the operator's choice is the operator's to rotate; ours must not fill the disk.
		out = &lumberjack.Logger{Filename: f.records, MaxSize: recordMegabytes, MaxBackups: recordBackups}
		if err := file.Close(); err != nil {
			return nil, nil, fmt.Errorf("open the file of the request records: %w", err)
		}
	}
	return api.NewRecords(out, failed).Emit, func() {
		if err := out.Close(); err != nil {
			failed(err)
		}
	}, nil
}

// The records of a data folder are kept in one file and so many older ones of this size.
const (
	recordMegabytes = 64
	recordBackups   = 8
)

// recordFile is where the request records of a data folder are.
func recordFile(data string) string { return filepath.Join(data, "records.jsonl") }

func (f *serveFlags) etcdTLS() (*tls.Config, error) {
	if f.etcdCA == "" && f.etcdCert == "" && f.etcdKey == "" {
		for _, e := range f.etcd {
			if strings.HasPrefix(e, "https://") {
				return &tls.Config{MinVersion: tls.VersionTLS12}, nil
			}
		}
		return nil, nil //nolint:nilnil // nil is plain HTTP, as in the etcd client
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.etcdCA != "" {
		text, err := os.ReadFile(f.etcdCA)
		if err != nil {
			return nil, fmt.Errorf("read --etcd-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--etcd-ca %s holds no certificate", f.etcdCA)
		}
	}
	if f.etcdCert != "" || f.etcdKey != "" {
		pair, err := tls.LoadX509KeyPair(f.etcdCert, f.etcdKey)
		if err != nil {
			return nil, fmt.Errorf("read --etcd-cert and --etcd-key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func (f *serveFlags) objectStore() (server.ObjectStore, error) {
	if f.s3Endpoint == "" {
		return server.ObjectStore{}, nil
	}
	u, err := url.Parse(f.s3Endpoint)
	if err != nil || u.Host == "" {
		return server.ObjectStore{}, fmt.Errorf("--s3-endpoint %q is not a URL like https://s3.example.com", f.s3Endpoint)
	}
	if f.s3KeyFile == "" {
		return server.ObjectStore{}, errors.New("--s3-endpoint needs --s3-key-file, a file with ACCESS_KEY_ID:SECRET_ACCESS_KEY")
	}
	text, err := os.ReadFile(f.s3KeyFile)
	if err != nil {
		return server.ObjectStore{}, fmt.Errorf("read --s3-key-file: %w", err)
	}
	id, secret, ok := strings.Cut(strings.TrimSpace(string(text)), ":")
	if !ok {
		return server.ObjectStore{}, fmt.Errorf("%s does not hold ACCESS_KEY_ID:SECRET_ACCESS_KEY", f.s3KeyFile)
	}
	return server.ObjectStore{Endpoint: u, Region: f.s3Region, AccessKeyID: id, SecretAccessKey: secret}, nil
}

// out is where people are told things: standard output, unless that is for the request records.
func (f *serveFlags) out(p *Process) io.Writer {
	if f.records == "-" {
		return p.Stderr
	}
	return p.Stdout
}

// announceProfiles writes the profiles of the administrators and says so. Every start does, because the endpoint may be
// another one. A start whose profiles cannot be written goes on: the keys are in the data folder.
func (f *serveFlags) announceProfiles(p *Process, s server.Started) {
	names, err := f.writeProfiles(s)
	switch {
	case err != nil:
		fmt.Fprintf(p.Stderr, "podid: the AWS profiles were not written: %v; the administrators' keys are in %s\n",
			err, filepath.Join(f.data, "administrators.json"))
	case len(names) > 0:
		fmt.Fprintf(f.out(p), "profiles %s written to %s\n", strings.Join(names, ", "), f.awsConfig)
	}
}

// writeProfiles writes a profile for each account of the first start: podid for the first one, podid-ACCOUNT for others. The
// authority of a self-signed certificate is put beside them: whoever may read the profiles may not be one who may enter the
// data folder.
func (f *serveFlags) writeProfiles(s server.Started) ([]string, error) {
	var profiles []Profile
	var names []string
	bundle := ""
	if s.CABundle != "" {
		bundle = filepath.Join(filepath.Dir(f.awsConfig), "podid-ca.pem")
	}
	for _, k := range s.Administrators {
		profile := Profile{
			Name: profileName(s.FirstAccount, k.Account), Region: f.region, Endpoint: s.Endpoint,
			AccessKeyID: k.ID, SecretAccessKey: k.Secret, CABundle: bundle,
		}
		profiles = append(profiles, profile)
		names = append(names, profile.Name)
	}
	if len(profiles) == 0 {
		return nil, nil
	}
	if err := writeProfiles(f.awsConfig, f.data, profiles); err != nil || bundle == "" {
		return names, err
	}
	authority, err := os.ReadFile(s.CABundle)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authority: %w", err)
	}
	return names, secretfile.Write(bundle, authority)
}

func profileName(first, account string) string {
	if account == first {
		return "podid"
	}
	return "podid-" + account
}
