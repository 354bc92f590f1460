"""What every archive service outside needs: its address and certificates, HTTP over verified TLS, one tree of failures."""
