/* Prints by which of the processor's extensions blocks are made: an empty line where by none. */
#include <stdio.h>

#include "wire/literal_blocks.h"

int main(void) {
    const literal_by_blocks *blocks = literal_blocks();
    puts(blocks != NULL ? blocks->extension : "");
    return 0;
}
