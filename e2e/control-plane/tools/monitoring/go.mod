module gatewaybinding.dev/e2e/tools/monitoring

go 1.26.0

// Nothing is built from it: its CustomResourceDefinitions are read from the module folder.
require github.com/prometheus-operator/prometheus-operator v0.85.0
