-- Leaves cluster and cloud as they are until it is resumed.
obj.spec.mode = "Suspend"
return obj
