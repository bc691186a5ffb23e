-- wrk script: one request, read from a file (head, empty line, body), again and
-- again; at the end one line of JSON for t/bench/bench.pl.

local request_text

function init(args)
    local f = assert(io.open(args[1], "rb"))
    request_text = f:read("*a")
    f:close()
end

function request()
    return request_text
end

function done(summary)
    local e = summary.errors
    io.write(string.format('\n{"requests":%d,"errors":%d,"seconds":%.6f}\n',
        summary.requests, e.status + e.connect + e.read + e.write + e.timeout,
        summary.duration / 1e6))
end
