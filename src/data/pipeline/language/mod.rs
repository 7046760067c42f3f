//! Models of language that judge a document.
