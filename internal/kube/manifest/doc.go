// Package manifest renders what runs in a cluster: the chart in deploy, with Helm's own engine.
//
// There is one description of these objects and three ways to them: Helm installs the whole chart, `podid cluster connect` the same
// without Helm, and the operator the part that is the add-on. What an add-on's configurationValues may hold, and which of them are wrong,
// the chart's own schema says.
package manifest
