-- Without a mode it is Apply. A mode that Git names comes back with the next sync.
obj.spec.mode = nil
return obj
