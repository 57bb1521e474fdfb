"""Crawls of real web sites, served by nginx on loopback."""
