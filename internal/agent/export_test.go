package agent

import (
	"io"
	"net/http"
)

// What tests see of the inside.
type Claims = claims

var Peek = peek

// DecodeWatchLine reports only whether a line is understood.
func DecodeWatchLine(line []byte) (kind, uid, version string, err error) {
	e, err := decodeWatchLine(line)
	return e.kind, e.uid, e.version, err
}

// ReadPodList lists UIDs.
func ReadPodList(r io.Reader) (uids []string, version string, err error) {
	version, err = readPodList(r, func(uid string, _ podName) { uids = append(uids, uid) })
	return uids, version, err
}

// NewKubernetesTransport is the transport of [InCluster].
func NewKubernetesTransport() *http.Transport { return newKubernetesTransport(nil) }
