-- What somebody would write for sessions of a pool with nginx + lua: level 1 is a
-- shared dict, level 2 Redis, over connections that are kept.  A record is taken
-- as it is: no seal, no times, no revocations.

local redis = require "nginx.redis"

local id = ngx.var.cookie_rms_session
if not id then
    return ngx.exit(401)
end

local sessions = ngx.shared.sessions
local record = sessions:get(id)

if not record then
    local r = redis:new()
    r:set_timeout(500)

    if not r:connect(bench_redis.addr, bench_redis.port) then
        return ngx.exit(503)
    end

    record = r:get("lua:session:" .. id)
    r:set_keepalive(60000, 32)

    if not record or record == ngx.null then
        return ngx.exit(401)
    end

    sessions:set(id, record, 3600)
end

if string.match(record, "^[^|]+") ~= bench_redis.account then
    return ngx.exit(403)
end
