"""Who is where: ranking a class, telling ranks apart, and who may see what of it."""
