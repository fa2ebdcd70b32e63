// Command gitops asks the libraries of GitOps tools what they make of objects: Argo CD's Lua engine and
// diff, and kstatus, which Flux, kubectl plugins and others use. It reads JSON from standard input and
// writes JSON to standard output.
//
//	gitops judge ARGOCD-CM       objects -> [{health, kstatus, actions}]
//	gitops act ARGOCD-CM ACTION  object -> the merge patch that Argo CD sends for the action
//	gitops diff                  [{config, live, predicted}] -> [whether live differs from config]
//	gitops application           Application -> nothing; an error if Argo CD does not know a field
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/lua"
	jsonpatch "github.com/evanphx/json-patch"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

// The field manager of Argo CD.
const manager = "argocd-controller"

func main() {
	answer, err := execute(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(answer)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gitops:", err)
		os.Exit(1)
	}
}

func execute(args []string) (any, error) {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return nil, err
	}
	switch {
	case len(args) == 2 && args[0] == "judge":
		return judge(args[1], input)
	case len(args) == 3 && args[0] == "act":
		return act(args[1], args[2], input)
	case len(args) == 1 && args[0] == "diff":
		return differences(input)
	case len(args) == 1 && args[0] == "application":
		decoder := json.NewDecoder(bytes.NewReader(input))
		decoder.DisallowUnknownFields()
		return nil, decoder.Decode(&v1alpha1.Application{})
	}
	return nil, fmt.Errorf("no such command: %v", args)
}

type judgement struct {
	Health  *health.HealthStatus `json:"health"`
	Kstatus string               `json:"kstatus"`
	Actions []string             `json:"actions"`
}

func judge(configMap string, input []byte) (any, error) {
	overrides, err := read(configMap)
	if err != nil {
		return nil, err
	}
	var objects []json.RawMessage
	if err := json.Unmarshal(input, &objects); err != nil {
		return nil, err
	}
	judgements := []judgement{}
	for _, content := range objects {
		object, err := decode(content)
		if err != nil {
			return nil, err
		}
		found, err := health.GetResourceHealth(object, lua.ResourceHealthOverrides(overrides))
		if err != nil {
			return nil, err
		}
		computed, err := status.Compute(object)
		if err != nil {
			return nil, err
		}
		actions, err := discover(overrides, object)
		if err != nil {
			return nil, err
		}
		judgements = append(judgements, judgement{found, computed.Status.String(), actions})
	}
	return judgements, nil
}

// Reads an object with whole numbers as Kubernetes has them.
func decode(text []byte) (*unstructured.Unstructured, error) {
	object := &unstructured.Unstructured{}
	return object, utiljson.Unmarshal(text, &object.Object)
}

// The actions that are offered and not disabled, by name.
func discover(overrides map[string]v1alpha1.ResourceOverride, object *unstructured.Unstructured) ([]string, error) {
	vm := lua.VM{ResourceOverrides: overrides}
	scripts, err := vm.GetResourceActionDiscovery(object)
	if err != nil || len(scripts) == 0 {
		return []string{}, err
	}
	actions, err := vm.ExecuteResourceActionDiscovery(object, scripts)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, action := range actions {
		if !action.Disabled {
			names = append(names, action.Name)
		}
	}
	sort.Strings(names)
	return names, nil
}

func act(configMap, name string, input []byte) (any, error) {
	overrides, err := read(configMap)
	if err != nil {
		return nil, err
	}
	object, err := decode(input)
	if err != nil {
		return nil, err
	}
	vm := lua.VM{ResourceOverrides: overrides}
	action, err := vm.GetResourceAction(object, name)
	if err != nil {
		return nil, err
	}
	results, err := vm.ExecuteResourceAction(object, action.ActionLua, nil)
	if err != nil {
		return nil, err
	}
	if len(results) != 1 || results[0].K8SOperation != lua.PatchOperation {
		return nil, fmt.Errorf("%s does more than change the object: %v", name, results)
	}
	changed, err := json.Marshal(results[0].UnstructuredObj.Object)
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.CreateMergePatch(input, changed)
	return json.RawMessage(patch), err
}

// Reads customizations as they stand in the ConfigMap argocd-cm, one key for each kind.
func read(path string) (map[string]v1alpha1.ResourceOverride, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var configMap corev1.ConfigMap
	if err := yaml.UnmarshalStrict(text, &configMap); err != nil {
		return nil, err
	}
	overrides := map[string]v1alpha1.ResourceOverride{}
	for key, value := range configMap.Data {
		rest, ok := strings.CutPrefix(key, "resource.customizations.")
		what, kind, found := strings.Cut(rest, ".")
		if !ok || !found {
			return nil, fmt.Errorf("%s is no customization of a kind", key)
		}
		// `gatewaybinding.dev_GatewayBinding` stands for what is otherwise written with a slash.
		kind = strings.Replace(kind, "_", "/", 1)
		override := overrides[kind]
		switch what {
		case "health":
			override.HealthLua = value
		case "actions":
			override.Actions = value
		default:
			return nil, fmt.Errorf("%s: %s is not looked at", key, what)
		}
		overrides[kind] = override
	}
	return overrides, nil
}

type pair struct {
	Config json.RawMessage `json:"config"`
	Live   json.RawMessage `json:"live"`
	// What a server-side dry run of the apply answers; without it, the diff is the client's own.
	Predicted json.RawMessage `json:"predicted"`
}

type dryRun string

func (answer dryRun) Run(context.Context, *unstructured.Unstructured, string) (string, error) {
	return string(answer), nil
}

func differences(input []byte) (any, error) {
	var pairs []pair
	if err := json.Unmarshal(input, &pairs); err != nil {
		return nil, err
	}
	modified := []bool{}
	for _, one := range pairs {
		options := []diff.Option{diff.WithManager(manager), diff.WithIgnoreMutationWebhook(false)}
		if string(one.Predicted) != "null" {
			options = append(options, diff.WithServerSideDiff(true), diff.WithServerSideDryRunner(dryRun(one.Predicted)))
		}
		config, err := decode(one.Config)
		if err != nil {
			return nil, err
		}
		live, err := decode(one.Live)
		if err != nil {
			return nil, err
		}
		found, err := diff.Diff(config, live, options...)
		if err != nil {
			return nil, err
		}
		modified = append(modified, found.Modified)
	}
	return modified, nil
}
