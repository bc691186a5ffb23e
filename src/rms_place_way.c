/*
 * Tables of the ways to service locations.  Constant data and pure functions:
 * any thread, nothing to free.
 */

#include "rms_place_way.h"


#define RMS_PLACE_DRM  "http://microsoft.com/DRM/ServerService"


#define rms_place_step(name, bare)                                            \
    { rms_string(name), rms_null_string, bare }
#define rms_place_steps(s)  (s), sizeof(s) / sizeof((s)[0])


/* [MS-RMPR] 3.7.4.2, [MS-RMPRS] 3.2.4.1, [MS-RMPR] 3.7.4.3 and 4.6 */

static const rms_place_step_t  rms_place_user_steps[] = {
    rms_place_step("FindServiceLocationsForUserResponse", 0),
    rms_place_step("FindServiceLocationsForUserResult", 0),
    rms_place_step("ServiceLocationResponse", 0),
    rms_place_step("URL", 0)
};

static const rms_place_step_t  rms_place_s2s_steps[] = {
    rms_place_step("FindServiceLocationsResponse", 0),
    rms_place_step("FindServiceLocationsResult", 0),
    rms_place_step("ServiceLocationResponse", 0),
    rms_place_step("URL", 0)
};

static const rms_place_step_t  rms_place_info_steps[] = {
    rms_place_step("GetServerInfoResponse", 0),
    rms_place_step("GetServerInfoResult", 0),
    rms_place_step("Results", 1),
    { rms_string("ServerInfoRequest"), rms_string("ServiceLocations"), 1 },
    rms_place_step("ServiceLocations", 1),
    rms_place_step("ServiceLocation", 1)
};

static const rms_place_way_t  rms_place_ways[] = {
    { RMS_REWRITE_LOCATIONS,   NULL,  rms_place_steps(rms_place_user_steps) },
    { RMS_REWRITE_LOCATIONS,   NULL,  rms_place_steps(rms_place_s2s_steps) },
    { RMS_REWRITE_SERVER_INFO, "Url", rms_place_steps(rms_place_info_steps) }
};


const rms_place_way_t *
rms_place_way(rms_rewrite_rule_e rule, const rms_str_t *name,
    const rms_str_t *uri)
{
    size_t                  i;
    const rms_place_way_t  *way;

    for (i = 0; i < sizeof(rms_place_ways) / sizeof(rms_place_ways[0]); i++) {
        way = &rms_place_ways[i];

        if (way->rule == rule && rms_place_way_step(&way->steps[0], name, uri))
        {
            return way;
        }
    }

    return NULL;
}


/*
 * The content of GetServerInfoResult is known from an example only, in no
 * namespace ([MS-RMPR] 4.6); a server that leaves out xmlns="" means the same.
 */

int
rms_place_way_step(const rms_place_step_t *step, const rms_str_t *name,
    const rms_str_t *uri)
{
    return rms_str_eq(name, &step->name)
           && (uri->data == NULL ? step->bare : rms_str_is(uri, RMS_PLACE_DRM));
}
