"""Rules written in Schematron, compiled to XSLT 2.0 by those who publish them, applied by Saxon in a process of its own."""
