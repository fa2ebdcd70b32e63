module gatewaybinding.dev/e2e/tools/knative

go 1.26.0

// Nothing is built from these: their CustomResourceDefinitions are read from the module folders.
require (
	knative.dev/networking v0.0.0-20260727162500-c7a7b772cac9
	knative.dev/serving v0.50.0
)
