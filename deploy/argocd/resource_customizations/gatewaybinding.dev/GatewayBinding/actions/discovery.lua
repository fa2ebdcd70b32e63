local suspended = obj.spec.mode == "Suspend"
return {
  reconcile = { ["displayName"] = "Reconcile now", ["disabled"] = suspended },
  suspend = { ["displayName"] = "Suspend", ["disabled"] = suspended },
  resume = { ["displayName"] = "Resume", ["disabled"] = not suspended },
}
