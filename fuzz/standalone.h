/* With -DFUZZ_STANDALONE a fuzzer has a main of its own, which runs the files named as arguments, for a
 * compiler that has no libFuzzer. To be included once, behind LLVMFuzzerTestOneInput(). */
#ifndef GAECHANNEL_FUZZ_STANDALONE_H
#define GAECHANNEL_FUZZ_STANDALONE_H

#include <stdint.h>
#include <stdio.h>

#ifdef FUZZ_STANDALONE
int main(int argc, char **argv) {
    static uint8_t data[1 << 20];
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        size_t size = fread(data, 1, sizeof data, file);
        fclose(file);
        LLVMFuzzerTestOneInput(data, size);
    }
    printf("%d inputs, all hold\n", argc - 1);
    return 0;
}
#endif

#endif
