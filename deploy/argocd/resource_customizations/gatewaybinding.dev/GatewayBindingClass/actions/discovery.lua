return {
  reconcile = { ["displayName"] = "Reconcile now", ["disabled"] = false },
}
