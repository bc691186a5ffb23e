/*
 * Any bytes as an Authorization value: what decodes is the one encoding of
 * its bytes.
 */

#include <stdlib.h>

#include "rms_negotiate.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rms_str_t     value, rest, dec, enc;
    rms_scheme_e  scheme;

    value.data = (unsigned char *) data;
    value.len = size;

    scheme = rms_authorization_split(&value, &rest);

    if (rest.len > size
        || (rest.len > 0 && (rest.data < value.data
                             || rest.data + rest.len > value.data + size))
        || (scheme == RMS_SCHEME_NONE && rest.len > 0))
    {
        abort();
    }

    dec.data = malloc(rms_base64_decoded_max(rest.len) + 1);

    if (dec.data == NULL) {
        return 0;
    }

    if (rms_base64_decode(&rest, RMS_TOKEN_MAX, &dec) == RMS_OK) {
        if (dec.len > RMS_TOKEN_MAX) {
            abort();
        }

        enc.data = malloc(rms_base64_encoded(dec.len) + 1);

        if (enc.data != NULL) {
            rms_base64_encode(&dec, &enc);

            if (!rms_str_eq(&enc, &rest)) {
                abort();
            }
        }

        free(enc.data);
    }

    free(dec.data);

    return 0;
}
