-- With KEYS, each request has one of so many client keys, at random (keys.py).
local keys = tonumber(os.getenv("KEYS") or "0")

if keys > 0 then
    function request()
        wrk.headers["x-api-key"] = "client-" .. math.random(0, keys - 1)
        return wrk.format()
    end
end

-- Prints what wrk measured as one line of JSON, exactly; its own report is rounded.
function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\nREPORT {"requests":%d,"duration_us":%d,"p50_us":%d,"p99_us":%d,' ..
        '"refused":%d,"broken":%d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
