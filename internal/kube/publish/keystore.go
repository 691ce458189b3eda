package publish

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
)

const (
	keysName = "podid-operator-keys"
	keysKey  = "keys.json"
)

// ConfigMap is a Store in the ConfigMap podid-operator-keys. It is read each time, so that deleting it forgets the keys at once.
type ConfigMap struct {
	API typed.ConfigMapInterface // of the operator's namespace
}

// Load reads the keys. A ConfigMap that holds anything else is as good as none: the next Save puts it right.
func (s ConfigMap) Load(ctx context.Context) (Keys, error) {
	m, err := s.API.Get(ctx, keysName, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Keys{}, nil
	}
	if err != nil {
		return Keys{}, fmt.Errorf("read the ConfigMap %s: %w", keysName, err)
	}
	var k Keys
	if err := json.Unmarshal([]byte(m.Data[keysKey]), &k); err != nil {
		return Keys{}, nil //nolint:nilerr // see above
	}
	return k, nil
}

// Save writes the keys.
func (s ConfigMap) Save(ctx context.Context, k Keys) error {
	text, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("encode the keys: %w", err)
	}
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: keysName}, Data: map[string]string{keysKey: string(text)}}
	if _, err = s.API.Update(ctx, m, metav1.UpdateOptions{}); apierrors.IsNotFound(err) {
		_, err = s.API.Create(ctx, m, metav1.CreateOptions{})
	}
	if err != nil {
		return fmt.Errorf("write the ConfigMap %s: %w", keysName, err)
	}
	return nil
}
