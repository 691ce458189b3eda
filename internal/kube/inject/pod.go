package inject

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Pod is what is read of a pod. The rest of it is left as it is, whatever it may be.
type Pod struct {
	ServiceAccountName string
	Name               string // the generated name's beginning where there is no name yet

	hasMetadata  bool
	hasLabels    bool
	identity     string // value of the label
	annotations  map[string]string
	nodeSelector map[string]string
	hasVolumes   bool
	volumes      map[string]object
	containers   []container
	inits        []container
}

// container is what is read of a container.
type container struct {
	name      string
	hasEnv    bool
	env       map[string]struct{}
	hasMounts bool
	mounts    map[string]mount
}

// mount is how a container sees a volume.
type mount struct{ path, subPath, subPathExpr string }

// object is a JSON object whose members are looked at only where needed. Unlike a struct it does not take Name for name, and of a
// name that is there twice it keeps the last, as whoever applies the patch does.
type object map[string]json.RawMessage

// ReadPod reads a pod as the API server sends it.
func ReadPod(raw []byte) (*Pod, error) {
	var pod object
	if err := json.Unmarshal(raw, &pod); err != nil {
		return nil, fmt.Errorf("decode the pod: %w", err)
	}
	if isNull(pod["spec"]) {
		return nil, errors.New("decode the pod: it has no spec")
	}
	p := &Pod{hasMetadata: !isNull(pod["metadata"])}
	var metadata, spec object
	if err := errors.Join(pod.read("metadata", &metadata), pod.read("spec", &spec)); err != nil {
		return nil, fmt.Errorf("decode the pod: %w", err)
	}
	if err := errors.Join(p.readMetadata(metadata), p.readSpec(spec)); err != nil {
		return nil, fmt.Errorf("decode the pod: %w", err)
	}
	return p, nil
}

func (p *Pod) readMetadata(metadata object) error {
	var labels map[string]string
	var generated string
	err := errors.Join(metadata.read("labels", &labels), metadata.read("annotations", &p.annotations),
		metadata.read("name", &p.Name), metadata.read("generateName", &generated))
	if p.Name == "" {
		p.Name = generated
	}
	p.hasLabels = labels != nil
	p.identity = labels[labelPodIdentity]
	return err
}

func (p *Pod) readSpec(spec object) error {
	var volumes []object
	err := errors.Join(spec.read("serviceAccountName", &p.ServiceAccountName),
		spec.read("nodeSelector", &p.nodeSelector), spec.read("volumes", &volumes))
	if err != nil {
		return err
	}
	p.hasVolumes = volumes != nil
	p.volumes = make(map[string]object, len(volumes))
	for _, v := range volumes {
		var name string
		if err := v.read("name", &name); err != nil {
			return fmt.Errorf("volume: %w", err)
		}
		p.volumes[name] = v
	}
	if p.containers, err = readContainers(spec, "containers"); err != nil {
		return err
	}
	p.inits, err = readContainers(spec, "initContainers")
	return err
}

func readContainers(spec object, list string) ([]container, error) {
	var raw []object
	if err := spec.read(list, &raw); err != nil {
		return nil, err
	}
	containers := make([]container, len(raw))
	for i, o := range raw {
		if o == nil {
			return nil, fmt.Errorf("%s: null is no container", list)
		}
		c := &containers[i]
		var env, mounts []object
		if err := errors.Join(o.read("name", &c.name), o.read("env", &env), o.read("volumeMounts", &mounts)); err != nil {
			return nil, fmt.Errorf("%s: %w", list, err)
		}
		c.hasEnv, c.hasMounts = env != nil, mounts != nil
		c.env, c.mounts = make(map[string]struct{}, len(env)), make(map[string]mount, len(mounts))
		for _, e := range env {
			var name string
			if err := e.read("name", &name); err != nil {
				return nil, fmt.Errorf("%s: env: %w", list, err)
			}
			c.env[name] = struct{}{}
		}
		for _, v := range mounts {
			var name string
			var m mount
			err := errors.Join(v.read("name", &name), v.read("mountPath", &m.path), v.read("subPath", &m.subPath), v.read("subPathExpr", &m.subPathExpr))
			if err != nil {
				return nil, fmt.Errorf("%s: volumeMounts: %w", list, err)
			}
			c.mounts[name] = m
		}
	}
	return containers, nil
}

// read decodes a member into out, which stays as it is where there is none.
func (o object) read(name string, out any) error {
	raw := o[name]
	if isNull(raw) {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }
