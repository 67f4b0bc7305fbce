"""Rank a class, tell ranks apart from noise, and show each reader what it may see."""
