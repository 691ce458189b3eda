package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eksauth"
	"github.com/aws/smithy-go"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/podid/podid/test/lab"
)

// withToken gives a pod a further token, for another audience, at /other/token.
func withToken(pod *corev1.Pod, audience string) *corev1.Pod {
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "other", VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
			ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: audience, Path: "token"},
		}}},
	}})
	c := &pod.Spec.Containers[0]
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "other", MountPath: "/other", ReadOnly: true})
	return pod
}

// token gets a token that is bound to a pod, as its kubelet does.
func (w *world) token(t testing.TB, pod *corev1.Pod, audience string) string {
	t.Helper()
	token, err := w.request(t.Context(), pod, audience)
	must(t, err)
	return token
}

func (w *world) request(ctx context.Context, pod *corev1.Pod, audience string) (string, error) {
	hour := int64(3600)
	r, err := w.kube.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, pod.Spec.ServiceAccountName, &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{
			Audiences: []string{audience}, ExpirationSeconds: &hour,
			BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return r.Status.Token, nil
}

// askAgent asks the agent of the real node.
func (w *world) askAgent(t testing.TB, token string) (status int, text string) {
	t.Helper()
	h := &http.Client{Transport: &http.Transport{DialContext: w.lab.DialContext, DisableKeepAlives: true}, Timeout: 10 * time.Second}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://169.254.170.23/v1/credentials", http.NoBody)
	must(t, err)
	req.Header.Set("Authorization", token)
	resp, err := h.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}

// delete deletes a pod at once, and waits until it is gone.
func (w *world) delete(t testing.TB, pod *corev1.Pod) {
	t.Helper()
	pods := w.kube.CoreV1().Pods(pod.Namespace)
	err := pods.Delete(t.Context(), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	lab.Eventually(t, 30*time.Second, "the pod is gone", func(ctx context.Context) error {
		_, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there: %w", err)
	})
}

// endedPods: the token of a pod that has ended is refused by the agent and by the control plane within seconds, though it would be good for
// an hour.
func (w *world) endedPods(t *testing.T) {
	pod := w.watcher(t, corev1.RestartPolicyNever)
	token := w.token(t, pod, "pods.eks.amazonaws.com")
	if status, text := w.askAgent(t, token); status != http.StatusOK {
		t.Fatalf("the agent refuses the token of a running pod: %d %s", status, text)
	}
	ask := func(ctx context.Context) error {
		_, err := eksauth.NewFromConfig(w.cluster).AssumeRoleForPodIdentity(ctx, &eksauth.AssumeRoleForPodIdentityInput{
			ClusterName: aws.String(clusterName), Token: &token,
		})
		return err
	}
	must(t, ask(t.Context()))
	w.delete(t, pod)
	end := time.Now()
	lab.Eventually(t, 10*time.Second, "the agent refuses the token", func(context.Context) error {
		if status, text := w.askAgent(t, token); status != http.StatusBadRequest || !strings.Contains(text, "ended") {
			return fmt.Errorf("%d %s", status, text)
		}
		return nil
	})
	byAgent := time.Since(end)
	lab.Eventually(t, 10*time.Second, "the control plane refuses the token", func(ctx context.Context) error {
		err := ask(ctx)
		if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "InvalidTokenException" || !strings.Contains(e.ErrorMessage(), "ended") {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	t.Logf("after the end of its pod a token was refused by the agent after %s, by the control plane after %s", round(byAgent), round(time.Since(end)))
}
