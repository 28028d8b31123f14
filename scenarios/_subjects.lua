-- What scenarios share: clients configured so that a fault shows within seconds. Every value can be overridden;
-- what a table names last wins.
local M = {}

local function merged(first, second)
  local out = {}
  for k, v in pairs(first) do out[k] = v end
  for k, v in pairs(second or {}) do out[k] = v end
  return out
end

-- A producer of many small batches: o.name, o.args, o.config.
function M.producer(topic, o)
  o = o or {}
  return client(o.name or "p", {
    speaks = "verifiable-producer",
    args = merged({ topic = topic, max_messages = 300 }, o.args),
    config = merged({
      acks = "all", retries = 100, -- libraries of old have none by default
      ["linger.ms"] = 0, ["batch.size"] = 512, ["retry.backoff.ms"] = 100, ["request.timeout.ms"] = 5000,
    }, o.config),
  })
end

-- A producer that asks for idempotence.
function M.idempotent(topic, o)
  o = o or {}
  return M.producer(topic, { name = o.name, args = o.args, config = merged({ ["enable.idempotence"] = true }, o.config) })
end

-- A member of the group "readers" that begins at the beginning: o.name, o.args, o.config.
function M.consumer(topic, o)
  o = o or {}
  return client(o.name or "c", {
    speaks = "verifiable-consumer",
    args = merged({ topic = topic, group_id = "readers", reset_policy = "earliest", session_timeout = 6000 }, o.args),
    config = merged({ ["heartbeat.interval.ms"] = 300, ["retry.backoff.ms"] = 100, ["fetch.max.wait.ms"] = 200 }, o.config),
  })
end

-- A member of the group "readers" by KIP-848: the broker says how often it beats (see M.beats) and when it is dead.
function M.member848(topic, o)
  o = o or {}
  return client(o.name or "c", {
    speaks = "verifiable-consumer",
    args = merged({ topic = topic, group_id = "readers", reset_policy = "earliest", group_protocol = "consumer" }, o.args),
    config = merged({ ["retry.backoff.ms"] = 100, ["fetch.max.wait.ms"] = 200 }, o.config),
  })
end

-- Brokers ask for three heartbeats a second. It comes after the rules that hurt: the first that triggers acts.
function M.beats()
  return rule("beats", "ConsumerGroupHeartbeat -> set heartbeatIntervalMs=300", { optional = true })
end

-- A transactional program with transactions of five records: o.name, o.args, o.config.
function M.transactional(topic, o)
  o = o or {}
  return client(o.name or "x", {
    speaks = "transactional",
    args = merged({ topic = topic, transactional_id = "writer", max_messages = 30, transaction_size = 5 }, o.args),
    config = merged({ ["retry.backoff.ms"] = 100, ["request.timeout.ms"] = 5000 }, o.config),
  })
end

-- What every producer owes whose faults can be retried.
function M.must_deliver(p, t)
  must(delivery.no_loss(p, t))
  must(delivery.no_error(p, t))
  must(delivery.all_answered(p, t))
end

return M
