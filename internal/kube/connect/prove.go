package connect

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podid/podid/apis/podidentity/v1alpha1"
	"github.com/podid/podid/internal/fault"
)

// cleanup is the time that is left to remove what a test has made, also when it was given up.
const cleanup = 30 * time.Second

// proof is a test under way: a namespace, a role that may do nothing, and the association between them.
type proof struct {
	c           *Connection
	name        string // of the namespace and the role: podid-test-1f3a
	association string // id
}

// Prove starts a pod that asks for its credentials as an SDK does, and tells what came of it. The pod has a namespace and a role of its
// own, which may do nothing; all of it is removed again, whatever happens.
func (c *Connection) Prove(ctx context.Context) (err error) {
	f := &facts{}
	if err := c.caller(ctx, f); err != nil {
		return err
	}
	b := make([]byte, 4)
	if _, err := rand.Read(b); err != nil {
		return err
	}
	p := &proof{c: c, name: "podid-test-" + hex.EncodeToString(b)}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
		defer cancel()
		if gone := p.remove(ctx); gone != nil {
			err = errors.Join(err, fmt.Errorf("the test %s was not removed whole; remove its namespace, association and role: %w", p.name, gone))
		}
	}()
	if err := p.prepare(ctx, f.account); err != nil {
		return fmt.Errorf("prepare a test pod: %w", err)
	}
	if err := p.start(ctx); err != nil {
		return fmt.Errorf("start a test pod: %w", err)
	}
	said, err := p.outcome(ctx)
	if err != nil {
		return err
	}
	for line := range strings.Lines(said) {
		c.say("test pod: %s", strings.TrimSpace(line))
	}
	if !strings.Contains(said, f.account) {
		return fault.New(fault.Internal, "test pod", "the test pod has credentials, but not of account %s", f.account)
	}
	return nil
}

func (p *proof) path() string { return "/podid/" + p.c.Cluster + "/" }

func (p *proof) prepare(ctx context.Context, account string) error {
	c := p.c
	err := c.putRole(ctx, role{name: p.name, path: p.path(), trust: document(statement{
		"Effect": "Allow", "Principal": map[string]string{"Service": podsPrincipal}, "Action": []string{"sts:AssumeRole", "sts:TagSession"},
		"Condition": map[string]any{"StringEquals": map[string]string{
			"aws:RequestTag/eks-cluster-arn": c.arn(account, "cluster", c.Cluster), "aws:RequestTag/kubernetes-namespace": p.name,
		}},
	})})
	if err != nil {
		return err
	}
	made, err := c.eks.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: &c.Cluster, Namespace: &p.name, ServiceAccount: &p.name, RoleArn: aws.String("arn:aws:iam::" + account + ":role" + p.path() + p.name),
	})
	if err != nil {
		return err
	}
	p.association = aws.ToString(made.Association.AssociationId)
	core := c.kube.typed.CoreV1()
	_, err = core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.name, Labels: map[string]string{
		managedByLabel: manager, v1alpha1.LabelInjection: v1alpha1.InjectionRequired, "pod-security.kubernetes.io/enforce": "restricted",
	}}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = core.ServiceAccounts(p.name).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: p.name}}, metav1.CreateOptions{})
	return err
}

// start creates the pod. A webhook that does not answer yet is asked again: the namespace is one that takes no pod without.
func (p *proof) start(ctx context.Context) error {
	image, secrets, err := p.image(ctx)
	if err != nil {
		return err
	}
	pod := p.pod(image, secrets)
	return p.c.until(ctx, "the webhook", func(ctx context.Context) (bool, string, error) {
		_, err := p.c.kube.typed.CoreV1().Pods(p.name).Create(ctx, pod, metav1.CreateOptions{})
		switch {
		case err == nil, apierrors.IsAlreadyExists(err):
			return true, "", nil
		case apierrors.IsInternalError(err), apierrors.IsServiceUnavailable(err), apierrors.IsTimeout(err), apierrors.IsForbidden(err):
			return false, err.Error(), nil // forbidden: its service account is not known to every API server yet
		}
		return false, "", err
	})
}

// image is the agent's, as the agent of this cluster really runs it.
func (p *proof) image(ctx context.Context) (string, []corev1.LocalObjectReference, error) {
	set, err := p.c.kube.typed.AppsV1().DaemonSets(agentNamespace).List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=" + agentName})
	if err != nil {
		return "", nil, err
	}
	if len(set.Items) == 0 || len(set.Items[0].Spec.Template.Spec.Containers) == 0 {
		return "", nil, fault.New(fault.NotFound, "agent", "the agent's DaemonSet is not in %s", agentNamespace)
	}
	return set.Items[0].Spec.Template.Spec.Containers[0].Image, set.Items[0].Spec.Template.Spec.ImagePullSecrets, nil
}

func (p *proof) pod(image string, secrets []corev1.LocalObjectReference) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: p.name},
		Spec: corev1.PodSpec{
			ServiceAccountName: p.name, RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: aws.Bool(false),
			EnableServiceLinks: aws.Bool(false), TerminationGracePeriodSeconds: aws.Int64(1), ImagePullSecrets: secrets,
			ActiveDeadlineSeconds: aws.Int64(max(1, int64(p.c.Patience/time.Second))),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: aws.Bool(true), RunAsUser: aws.Int64(65532), RunAsGroup: aws.Int64(65532), FSGroup: aws.Int64(65532),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "probe", Image: image, ImagePullPolicy: corev1.PullIfNotPresent, Command: []string{"/podid-agent", "probe"},
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi")},
					Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi")},
				},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: aws.Bool(false), ReadOnlyRootFilesystem: aws.Bool(true), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// outcome waits for the pod's end and returns what it said; where it failed, its own reason is the error.
func (p *proof) outcome(ctx context.Context) (string, error) {
	var last *corev1.Pod
	err := p.c.until(ctx, "the test pod's end", func(ctx context.Context) (bool, string, error) {
		pod, err := p.c.kube.typed.CoreV1().Pods(p.name).Get(ctx, p.name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error(), nil //nolint:nilerr // the API server may be away for a moment
		}
		last = pod
		return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed, "it is " + string(pod.Status.Phase), nil
	})
	if err == nil && last.Status.Phase == corev1.PodSucceeded {
		return p.logs(ctx), nil
	}
	why := []string{"the test pod did not get its credentials"}
	if err != nil {
		why = append(why, fault.Of(err).Public)
	}
	if last != nil {
		if last.Labels[v1alpha1.LabelPodIdentity] != "enabled" {
			why = append(why, "the webhook gave it none of the variables")
		}
		why = append(why, troubles(last)...)
		if last.Status.Message != "" {
			why = append(why, last.Status.Message)
		}
	}
	why = append(why, p.events(ctx)...)
	if said := strings.TrimSpace(p.logs(ctx)); said != "" {
		why = append(why, "it said: "+said)
	}
	return "", fault.New(fault.Unavailable, "test pod", "%s", strings.Join(why, "\n  ")).Because(err)
}

const maxLog = 16 << 10

func (p *proof) logs(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	r, err := p.c.kube.typed.CoreV1().Pods(p.name).GetLogs(p.name, &corev1.PodLogOptions{Container: "probe"}).Stream(ctx)
	if err != nil {
		return ""
	}
	defer r.Close()
	text, _ := io.ReadAll(io.LimitReader(r, maxLog)) // what there is
	return string(text)
}

// events are the warnings about the pod: also the agent's, which says why podid refused.
func (p *proof) events(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanup)
	defer cancel()
	list, err := p.c.kube.typed.CoreV1().Events(p.name).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	var texts []string
	for _, e := range list.Items {
		if e.Type == corev1.EventTypeWarning {
			texts = append(texts, e.Reason+": "+e.Message)
		}
	}
	return texts
}

// remove takes away what the test has made, as far as it got.
func (p *proof) remove(ctx context.Context) error {
	c := p.c
	now := metav1.DeleteOptions{GracePeriodSeconds: aws.Int64(0)}
	err := c.kube.typed.CoreV1().Namespaces().Delete(ctx, p.name, now)
	if apierrors.IsNotFound(err) {
		err = nil
	}
	if p.association != "" {
		_, gone := c.eks.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: &c.Cluster, AssociationId: &p.association})
		err = errors.Join(err, unless[*ekstypes.ResourceNotFoundException](gone))
	}
	_, gone := c.iam.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &p.name})
	return errors.Join(err, unless[*iamtypes.NoSuchEntityException](gone))
}
