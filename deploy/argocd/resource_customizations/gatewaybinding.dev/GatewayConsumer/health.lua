-- Ready is the sum of the conditions; Reconciling and Stalled are there only while they are true.
hs = { status = "Progressing", message = "Waiting for the operator" }

local ready, stalled
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == "Ready" then
      ready = condition
    elseif condition.type == "Stalled" and condition.status == "True" then
      stalled = condition
    end
  end
end

-- What is said of an older generation says nothing of this one.
if ready == nil or ready.observedGeneration ~= obj.metadata.generation then
  return hs
end
hs.message = ready.message

if stalled ~= nil then
  hs.status = "Degraded"
  hs.message = stalled.message
elseif ready.status == "True" then
  hs.status = "Healthy"
end
return hs
