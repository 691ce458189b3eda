// Package arn names things: ARNs, account ids and the principals that ask for something.
//
// It owns the spelling of names and nothing else: it knows no policy, no store and no wire. Every ARN that podid prints is
// built by a function of this package, and every ARN that a caller sends is read by [Parse].
//
// spec: iam-policy.md 3.3, 1.5
package arn

import (
	"errors"
	"strings"
)

// Partition is the partition of every ARN that podid makes. Clients choose their partition by region name, and a control
// plane of this kind has ordinary region names.
const Partition = "aws"

// ARN is an Amazon Resource Name, split at its first five colons. Resource is the whole remainder.
type ARN struct {
	Partition string
	Service   string
	Region    string
	Account   string
	Resource  string
}

// maxLength bounds what [Parse] reads; the longest legal ARN (an S3 object with a 1,024-byte key) is well below.
const maxLength = 2048

var (
	errSyntax  = errors.New("an ARN has the form arn:partition:service:region:account:resource")
	errTooLong = errors.New("the ARN is longer than 2048 characters")
	errAccount = errors.New("an account id is 12 digits")
)

// Parse splits s. It requires the arn prefix, a partition, a service and a resource; region and account may be empty.
func Parse(s string) (ARN, error) {
	if len(s) > maxLength {
		return ARN{}, errTooLong
	}
	f := strings.SplitN(s, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[1] == "" || f[2] == "" || f[5] == "" {
		return ARN{}, errSyntax
	}
	return ARN{Partition: f[1], Service: f[2], Region: f[3], Account: f[4], Resource: f[5]}, nil
}

// CheckAccount reports why s is not an account id, or nil.
func CheckAccount(s string) error {
	if len(s) != 12 {
		return errAccount
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return errAccount
		}
	}
	return nil
}

func global(service, account, resource string) string {
	return "arn:" + Partition + ":" + service + "::" + account + ":" + resource
}

func eks(region, account, resource string) string {
	return "arn:" + Partition + ":eks:" + region + ":" + account + ":" + resource
}

// Root is the account itself: its root user as a caller, the whole account as a principal in a policy.
func Root(account string) string { return global("iam", account, "root") }

// User is an IAM user. Path begins and ends with a slash.
func User(account, path, name string) string { return global("iam", account, "user"+path+name) }

// Role is an IAM role. Path begins and ends with a slash.
func Role(account, path, name string) string { return global("iam", account, "role"+path+name) }

// Group is an IAM group. Path begins and ends with a slash.
func Group(account, path, name string) string { return global("iam", account, "group"+path+name) }

// InstanceProfile is what carries a role to an instance. Path begins and ends with a slash.
func InstanceProfile(account, path, name string) string {
	return global("iam", account, "instance-profile"+path+name)
}

// Policy is a managed policy. Path begins and ends with a slash.
func Policy(account, path, name string) string { return global("iam", account, "policy"+path+name) }

// AssumedRole is one session of a role. It carries no path, so the role cannot be rebuilt from it.
func AssumedRole(account, role, session string) string {
	return global("sts", account, "assumed-role/"+role+"/"+session)
}

// OIDCProvider is an identity provider; host is the issuer URL without its scheme.
func OIDCProvider(account, host string) string {
	return global("iam", account, "oidc-provider/"+host)
}

// Cluster is an EKS cluster.
func Cluster(region, account, name string) string {
	return eks(region, account, "cluster/"+name)
}

// Association is a pod identity association. spec: pod-identity.md 1.3.2
func Association(region, account, cluster, id string) string {
	return eks(region, account, "podidentityassociation/"+cluster+"/"+id)
}

// Nodegroup is a node group of a cluster.
func Nodegroup(region, account, cluster, name, uuid string) string {
	return eks(region, account, "nodegroup/"+cluster+"/"+name+"/"+uuid)
}

// Addon is an add-on of a cluster.
func Addon(region, account, cluster, name, uuid string) string {
	return eks(region, account, "addon/"+cluster+"/"+name+"/"+uuid)
}

// AccessEntry is an access entry of a cluster. Identity is the principal as such ARNs have it: user/ACCOUNT/NAME or role/ACCOUNT/NAME.
func AccessEntry(region, account, cluster, identity, uuid string) string {
	return eks(region, account, "access-entry/"+cluster+"/"+identity+"/"+uuid)
}

// Bucket is an S3 bucket. The owner is not part of the name.
func Bucket(name string) string { return "arn:" + Partition + ":s3:::" + name }

// Object is an S3 object; key is exactly the stored key, without any encoding.
func Object(bucket, key string) string { return "arn:" + Partition + ":s3:::" + bucket + "/" + key }

// RoleName is the account, path and name of a role ARN.
type RoleName struct {
	Account string
	Path    string
	Name    string
}

// ParseRole reads a role ARN, with or without a path. spec: pod-identity.md 1.4 (the last path element is the name)
func ParseRole(s string) (RoleName, error) {
	a, err := Parse(s)
	if err != nil {
		return RoleName{}, err
	}
	rest, ok := strings.CutPrefix(a.Resource, "role/")
	if a.Service != "iam" || a.Region != "" || !ok {
		return RoleName{}, errors.New("not the ARN of an IAM role")
	}
	if err := CheckAccount(a.Account); err != nil {
		return RoleName{}, err
	}
	slash := strings.LastIndexByte(rest, '/')
	name, path := rest[slash+1:], "/"+rest[:slash+1]
	if name == "" {
		return RoleName{}, errors.New("the role ARN names no role")
	}
	return RoleName{Account: a.Account, Path: path, Name: name}, nil
}
