package core

// ResealBatch is how many secrets are sealed anew in one transaction.
const ResealBatch = resealBatch
