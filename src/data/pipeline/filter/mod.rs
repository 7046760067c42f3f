//! Rules that judge a document by itself.
