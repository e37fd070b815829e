//! Accepts connections, spreads them over workers, parses HTTP/1.1 and drains.
