package kube_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/podid/podid/internal/kube/publish"
	"github.com/podid/podid/internal/kube/serviceaccount"
	"github.com/podid/podid/internal/migration"
	"github.com/podid/podid/test/lab"
)

// TestImportAnnotations holds that the service accounts of a cluster, read with a kubeconfig, are given what their annotations give them
// today, and nothing else.
func TestImportAnnotations(t *testing.T) {
	w := &operatorWorld{t: t, lab: lab.Light(t), plane: newPlane(t), dir: t.TempDir()}
	var err error
	w.kube, err = kubernetes.NewForConfig(w.lab.REST())
	check(t, err)
	w.connect()
	ctx := t.Context()
	id, err := publish.APIServer{REST: w.kube.Discovery().RESTClient()}.Identity(ctx)
	check(t, err)
	host := strings.TrimPrefix(id.Issuer, "https://")
	w.role(t, "/", "annotated", document(map[string]any{
		"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": map[string]string{"Federated": "arn:aws:iam::" + account + ":oidc-provider/" + host},
		"Condition": map[string]any{"StringEquals": map[string]string{host + ":sub": "system:serviceaccount:import:uploader"}},
	}))
	_, err = w.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "import"}}, metav1.CreateOptions{})
	check(t, err)
	for name, role := range map[string]string{"uploader": "annotated", "intruder": "annotated", "plain": ""} {
		sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if role != "" {
			sa.Annotations = map[string]string{serviceaccount.Annotation: roleARN(role)}
		}
		_, err := w.kube.CoreV1().ServiceAccounts("import").Create(ctx, sa, metav1.CreateOptions{})
		check(t, err)
	}

	propose := func() *migration.Proposal {
		t.Helper()
		list, err := serviceaccount.FromCluster(ctx, []string{w.lab.Kubeconfig}, "")
		check(t, err)
		var annotated []migration.ServiceAccount
		plain := 0
		for _, sa := range list {
			switch {
			case sa.Namespace != "import":
			case sa.RoleARN == "":
				plain++
			default:
				annotated = append(annotated, sa)
			}
		}
		if len(annotated) != 2 || plain == 0 {
			t.Fatalf("read %v", list)
		}
		p, err := migration.ProposeIRSA(ctx, annotated, migration.NewAccount(w.admin), clusterName, migration.Translation{})
		check(t, err)
		return p
	}
	p := propose()
	if len(p.LeftOut) != 1 || !strings.Contains(p.LeftOut[0], "import/intruder") {
		t.Errorf("left out: %q", p.LeftOut)
	}
	for _, note := range p.Notes {
		if strings.Contains(note, "issuer") {
			t.Errorf("the issuer is the cluster's own: %s", note)
		}
	}
	check(t, p.Plan.Execute(ctx))
	if again := propose(); !again.Plan.Empty() {
		t.Errorf("a second run would change something: %v", again.Plan)
	}
	made, err := w.eks.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: aws.String(clusterName), Namespace: aws.String("import")})
	check(t, err)
	if len(made.Associations) != 1 || *made.Associations[0].ServiceAccount != "uploader" {
		t.Errorf("associated are %v", made.Associations)
	}
	if _, err := serviceaccount.FromCluster(ctx, []string{"/nowhere"}, ""); err == nil || !strings.Contains(err.Error(), "--kubeconfig") {
		t.Errorf("without a kubeconfig: %v", err)
	}
}
