-- A peer of "make bench": what somebody would write with nginx and lua to get
-- the checks of the module.  Path, SOAP action and the first child of the Body
-- must agree; the licensor of the publishing licence chooses the upstream.

local served = {
    ["/_wmcs/licensing/license.asmx"] =
        "LicensingService/AcquireLicense",
    ["/_wmcs/licensing/templatedistribution.asmx"] =
        "TemplateDistributionService/AcquireTemplateInformation",
    ["/_wmcs/certification/servicelocator.asmx"] =
        "ServerService/FindServiceLocationsForUser",
    ["/_wmcs/certification/server.asmx"] = "ServerService/GetServerInfo",
}

local legacy = { ["bbe8ec23-d6d0-4f3b-96fc-aff43326c557"] = true }

local wanted = served[string.lower(ngx.var.uri)]
if not wanted or ngx.req.get_method() ~= "POST" then
    return ngx.exit(404)
end

local type = ngx.var.http_content_type
if not type or not string.find(type, "^text/xml") then
    return ngx.exit(415)
end

if ngx.var.http_soapaction ~= '"http://microsoft.com/DRM/' .. wanted .. '"' then
    return ngx.exit(400)
end

ngx.req.read_body()

local body = ngx.req.get_body_data()
if not body or string.find(body, "<!DOCTYPE", 1, true) then
    return ngx.exit(400)
end

local from, to, space, child = string.find(body,
    "<([%w]*:?)Body[^>]*>%s*<([%w:]+)")
if not from then
    return ngx.exit(400)
end

child = string.gsub(child, "^.*:", "")
if child ~= string.match(wanted, "[^/]+$") then
    return ngx.exit(400)
end

from = string.find(body, 'type="Microsoft Rights Label"', to, true)
if from then
    local guid = string.match(body,
        '<ISSUEDPRINCIPALS>.-<ID type="MS%-GUID">{([%x-]+)}', from)
    if guid and legacy[string.lower(guid)] then
        ngx.var.target = "legacy"
    end
end

ngx.req.clear_header("Authorization")
