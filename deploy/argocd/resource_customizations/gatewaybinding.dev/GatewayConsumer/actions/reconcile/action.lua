-- Has the operator compare everything with the cloud now. Any new value is a new request.
local os = require("os")
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["gatewaybinding.dev/reconcile-at"] = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
