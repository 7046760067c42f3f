/* Preloaded into the peer on processors that are not Intel's: MKL, which PyTorch links, asks itself this question before
   it takes its widest instructions. */
int mkl_serv_intel_cpu_true(void) { return 1; }
